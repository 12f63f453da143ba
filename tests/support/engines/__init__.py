"""What runs in place of an engine's image: the real llama.cpp server, scripted vLLM, SGLang, TEI, Triton.

Scripted engines parse their command line, start, serve, say metrics and end as the real ones do in the
version that the image's tag names. What goes wrong is in the variable ENGINE_SCRIPT (`script`) or told to the
control endpoint while they run (`tests.support.stand_in_control`).
"""
