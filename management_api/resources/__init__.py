"""What the API serves, a module each: the fields that it takes and gives, and the view."""
