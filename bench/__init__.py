"""What st_auth costs, measured side by side with Streamlit's own login: `python -m bench [ROWS…]`."""
