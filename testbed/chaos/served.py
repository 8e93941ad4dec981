"""What stories play only when the operator serves it; see `exclusions`."""

from typing import Final

MOVES_ARE_SERVED: Final = True
MOVES_HAVE_AN_OVERLAP: Final = False
NEVER_IS_SERVED_OF_BINDINGS: Final = True
RIVALS_ARE_SERVED: Final = True
REPLACED_RULESETS_ARE_SERVED: Final = True
DESTROYED_CERTIFICATES_ARE_SERVED: Final = True
ROTATIONS_ARE_SERVED: Final = True
