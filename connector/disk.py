"""Whether the store's disk still has room."""

import shutil
from collections.abc import Callable

from connector.config import StoreConfig
from connector.store.ballast import Ballast
from connector.store.file import real

LOOK_EVERY_S = 1.0


class Disk:
    """The disk a store lies on."""

    def __init__(self, config: StoreConfig, clock: Callable[[], float], ballast: Ballast) -> None:
        self._config = config
        self._ballast = ballast
        self._clock = clock
        self._looked_at = -LOOK_EVERY_S
        self._is_low = False

    def low(self) -> bool:
        """Tell whether it has less room than the configuration wants kept; looked up once a second.

        It is low as well from the moment the ballast was given up until it is back.
        """
        now = self._clock()
        if now - self._looked_at >= LOOK_EVERY_S:
            folder = real(self._config.path).parent
            self._is_low = shutil.disk_usage(folder).free < self._config.min_free_mb * 1_000_000
            self._looked_at = now
            self._ballast.restore()
        return self._is_low or not self._ballast.whole
