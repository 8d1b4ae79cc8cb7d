"""Where tensors live and how they are computed: devices, captured graphs, threads, the training loop."""
