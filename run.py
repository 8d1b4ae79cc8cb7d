"""python run.py method=diffjoint mask=mnar ratio=0.3"""

from lacuna.cli.run import main

if __name__ == "__main__":
    main()
