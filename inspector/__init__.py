"""inspector: a forensic corruption inspection tool for binary stores.

    source bytes -> detect -> walk -> check -> diagnose -> report -> render
                                 \\-> plan -> write -> inspect the new file

Reading order: span, finding, source, layout, format (the contract), inspect, repair, then one format.
"""

__version__ = "0.1.0"
