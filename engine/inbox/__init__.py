"""The inbox: signals from outside over HTTP, for programs and chart services that have no control socket.

Layers, from the wire inwards: `http` (what aiohttp leaves open: connections, banner, errors), `server` (one request's way),
`porter` (who may come in, how often), `reading` (a body becomes values), `desk` (values become signals, and answers).
`refusals` journals what was turned away. The pure parts are in engine/core: inbox, chart_alert, quota.
"""
