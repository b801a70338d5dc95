"""What AWS and HTTP wrap an event in, routes and statuses, and what the environment says."""
