"""Pure tensor code: no device, file, configuration or global random state inside."""
