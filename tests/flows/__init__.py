"""Whole stories, over HTTP and WebSocket, without a browser."""
