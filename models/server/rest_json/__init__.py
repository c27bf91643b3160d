"""The JSON of TensorFlow Serving's REST API: requests in, answers and errors out."""
