"""What an emulator keeps: its database, the bodies as files, and the lock on its root."""
