"""Training: samples → a Keras model → an exported, gated, published version.

row_data reads, fitting trains, row_metrics measures, export writes, promotion_gate checks, pipeline strings them together. Call
`models.training.runtime.import_tensorflow()` before importing the others: TensorFlow then starts quiet and on the CPU.
"""
