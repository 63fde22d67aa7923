"""Real servers for the tests: started by the suite on free loopback ports, ended by their process id."""
