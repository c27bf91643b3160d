"""How Java runs in tests: for minutes, with small heaps."""

from typing import Final

SHORT_LIVED: Final = "-XX:TieredStopAtLevel=1"
"""One compiler: what the second one compiles, over minutes of a processor, is not run long enough to be worth it."""
SPARK: Final = {"JDK_JAVA_OPTIONS": f"{SHORT_LIVED} -XX:+UseSerialGC"}
"""Of the environment of a Spark session, whose collector has no threads of its own then."""
