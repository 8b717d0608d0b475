"""What a lab starts or prepares besides its apps: the control plane, stores, certificates."""
