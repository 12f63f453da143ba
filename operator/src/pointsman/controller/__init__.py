"""The operator: what the API server holds is gathered, decided upon, and brought about.

Watches fill a store and name keys; a queue hands each key to the reconciler of its kind; a reconciler
gathers a frozen snapshot, decides (pure), and has the difference applied. What an object should become is
decided in rooms below this one; nothing here knows of engines, accelerators or Envoy.
"""
