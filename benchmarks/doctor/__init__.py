"""What would spoil a measurement on a device, and how small a change the device can show."""
