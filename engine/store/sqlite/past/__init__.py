"""The store as it was at an earlier moment of its journal."""
