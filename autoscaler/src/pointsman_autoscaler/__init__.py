"""How many replicas of which flavour: the fewest dollars at the promised latency, and why.

Pure packages decide (`capacity`, `forecast`, `decision`), `signals` reads what engines and gateways say,
`loop` acts, `simulator` and `baselines` compare policies on recorded traffic. What placement knows is not
repeated here: this package imports it.
"""
