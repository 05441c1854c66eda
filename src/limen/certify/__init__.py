"""Formula against kernels, by rigorous arithmetic: the reference, the sample, the measure."""
