"""Training: samples → a Keras model → an exported, gated, published version.

samples reads, fit trains, metrics measures, export writes, gate checks, run strings them together. Call
`models.training.runtime.import_tensorflow()` before importing the others: TensorFlow then starts quiet and on the CPU.
"""
