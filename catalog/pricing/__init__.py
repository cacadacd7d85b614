"""What models cost: reads published prices, computes costs, formats both. Integers throughout.

An amount is nano-USD per 1,000,000 units, which holds every published price exactly: 0.0513 USD
per M tokens and 0.00000251 USD per request alike. A cost is nano-USD, rounded once, half up, at its
end. Neurons are counted in millionths: 1 neuron = 0.000011 USD = 11,000 nano-USD. Pure.
"""
