"""The platform's own API under `/api/v1`: one router a resource."""
