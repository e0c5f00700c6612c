"""Models in service: windows in, forecasts out, many models beside each other; nothing here knows of a web server."""
