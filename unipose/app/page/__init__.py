"""The web page: conversations in a browser, with bodies in 3D; served by `router.page_router`."""
