"""What a request used: tokens as upstream reports them or as estimated here, and the row of it."""
