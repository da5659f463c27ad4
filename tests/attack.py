"""An attacker of small counts: learns what outputs say of sums, and solves for what they withhold."""

import numpy as np
from scipy.optimize import linprog

from wardbook.figures import withhold


class Attacker:
    """Collects what outputs say of sums of cells, and finds the range of values they leave another: counts are 0 or more.

    `least` has more for some: a cell that is withheld alone is 1 or more, since a nought is shown.
    """

    def __init__(self, cells, least=()):
        self.place = {cell: n for n, cell in enumerate(cells)}
        self.bounds = [(least[n] if least else 0, None) for n in self.place.values()]
        self.rows, self.right = [], []

    def learns(self, names, total):
        if total is not None:
            self.rows.append([self.place[name] for name in names])
            self.right.append(round(total))

    def finds(self, names):
        if not self.rows:
            return 0, np.inf
        matrix, asked = np.zeros((len(self.rows), len(self.place))), np.zeros(len(self.place))
        for n, row in enumerate(self.rows):
            matrix[n, row] = 1
        asked[[self.place[name] for name in names]] = 1
        low, high = (
            linprog(sign * asked, A_eq=matrix, b_eq=self.right, bounds=self.bounds, method="highs") for sign in (1, -1)
        )
        assert low.status == 0, f"the outputs contradict each other about {names[:1]}"
        return low.fun, -high.fun if high.status == 0 else np.inf


def tried(attacker, secrets):
    """Ask for every small count; how many there were. None of them may come out."""
    small = {name: value for name, value in secrets.items() if withhold.is_small(value[1])}
    for name, (names, count) in small.items():
        low, high = attacker.finds(names)
        assert low - 0.01 <= count <= high + 0.01, f"the attack itself is wrong about {name}"
        assert high - low >= 0.99, f"{name} is given away as {count}"
    return len(small)
