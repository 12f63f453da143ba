"""What the operator says of ModelRoutes; gateways serve them by themselves."""
