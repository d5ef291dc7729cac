"""The engine: decides stored notifications, carries out the effects of the pure stages, and sends due messages."""
