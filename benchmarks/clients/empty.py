"""Does nothing: what a Python process costs."""

from benchmarks.clients.common import measured

if __name__ == "__main__":
    with measured():
        pass
