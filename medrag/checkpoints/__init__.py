"""What loading and running a model of torch takes, whatever it is for."""
