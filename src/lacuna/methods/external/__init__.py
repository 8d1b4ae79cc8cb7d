"""Methods of installed packages behind the one contract; the packages are imported when they are used."""
