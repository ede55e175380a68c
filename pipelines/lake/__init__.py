"""The warehouse: connections, the writer lock, tables that Python owns, publishing and maintenance."""
