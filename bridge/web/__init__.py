"""What the bridge serves over HTTP: its listeners, the public endpoints, and its health.

Front code: nothing here knows keys or what a message means.
"""
