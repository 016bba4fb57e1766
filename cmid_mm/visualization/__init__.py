"""Pictures of what was learned. Import the modules: matplotlib is loaded only by those that draw."""
