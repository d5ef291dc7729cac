"""The shell: it takes deliveries, carries out what the pure stages decide, and sends what is due."""
