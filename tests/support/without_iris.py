"""A plug-in of pytest that leaves out a parser of internationalised addresses (RFC 3987).

nbval loads jsonschema, and that the parser, which compiles its grammar for 1.25 s of CPU. Each of
some 150 notebooks has a pytest of its own, and no notebook holds such an address. jsonschema takes
a parser that is not there for one that nobody has installed.
"""

import sys

sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
