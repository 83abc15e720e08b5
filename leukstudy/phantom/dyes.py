"""The four dyes of a Romanowsky-stained smear, in the order of their planes everywhere in the phantom."""

DYES = ("violet", "azure", "eosin", "haemoglobin")
VIOLET, AZURE, EOSIN, HAEMOGLOBIN = range(4)

# Absorbance (natural log) of one unit of dye in red, green and blue, chosen by eye for May-Gruenwald-Giemsa.
ABSORBANCE = (
    (0.62, 1.08, 0.29),  # violet: azure B and eosin Y bound to DNA (the Romanowsky effect)
    (0.66, 0.46, 0.10),  # azure: the blue of RNA in basophilic cytoplasm
    (0.04, 0.58, 0.34),  # eosin: the pink of basic proteins
    (0.10, 0.38, 0.37),  # haemoglobin with its eosin: red cells
)
