"""Pages of a served run: the chat, and what lies in the workspace. Know HTTP and HTML; decide nothing."""
