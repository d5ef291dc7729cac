"""Messages to send: claims, attempts and the state of each channel."""
