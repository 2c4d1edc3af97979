"""Which databases a cloud has: nova's depend on how many cells there are."""

import dataclasses

# More would need another way to write the names and numbers in seed/.
MOST_CELLS = 9
OTHERS = ["placement", "neutron", "cinder", "glance", "barbican"]


@dataclasses.dataclass(frozen=True)
class Layout:
    """How many cells nova has besides cell0, and whether the last of them is disabled."""

    count: int = 1
    disabled: bool = False

    @property
    def name(self):
        """What its dumps are kept under."""
        return f"{self.count}-cell{'' if self.count == 1 else 's'}{'-last-disabled' if self.disabled else ''}"

    @property
    def cells(self):
        """The databases of the cells besides cell0, by the cell's name."""
        return {f"cell{number}": "nova" if number == 1 else f"nova_cell{number}" for number in range(1, self.count + 1)}

    @property
    def mapped(self):
        """The databases of all cells, as nova's cell mappings know them."""
        return {"cell0": "nova_cell0", **self.cells}

    @property
    def nova(self):
        """nova's databases."""
        return ["nova_api", *self.mapped.values()]

    @property
    def databases(self):
        """All databases of the cloud."""
        return ["keystone", *self.nova, *OTHERS]


ONE_CELL = Layout()
