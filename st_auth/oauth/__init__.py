"""The protocol, pure: what to ask a provider and how to judge its answers. No sockets, no storage, no Streamlit."""
