"""Contract suites, one a port: subclass one, give it the fixture it names, and pytest runs the port's laws."""
