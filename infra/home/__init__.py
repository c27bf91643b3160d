"""The home: paths, ports, persistent record, and the command channel to a running one."""
