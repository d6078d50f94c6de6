"""Traffic for a carrier: by an ESME of the simulator's own, or through an HTTP door."""
