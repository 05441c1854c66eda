"""A network that learns a wave from its equation alone, which has a third derivative.

The soliton of the Korteweg-de Vries equation keeps its shape while it moves, with speed 4: that
shape u solves u''' = 4 u' - 6 u u', and is 2 / cosh(x)**2. The network is told the equation and
how u starts, u(0) = 2, u'(0) = 0, u''(0) = -4, and never a value of u elsewhere.

Run it with: python examples/physics_informed.py
"""

import torch
from torch.func import grad, vmap

import limen.torch as lt

torch.manual_seed(0)
x = torch.linspace(0, 3, 64, dtype=torch.float64)
net = torch.nn.Sequential(
    torch.nn.Linear(1, 20), lt.Activation("tanh"),
    torch.nn.Linear(20, 20), lt.Activation("tanh"),
    torch.nn.Linear(20, 1),
).double()  # fmt: skip


def u(x):
    """The network as a function of one number."""
    return net(x[None])[0]


du = grad(u)
d2u = grad(du)
d3u = grad(d2u)
start = x[0]


def loss():
    """How far the network is from the equation, and from how the wave starts."""
    slope = vmap(du)(x)
    equation = vmap(d3u)(x) - 4 * slope + 6 * vmap(u)(x) * slope
    beginning = (u(start) - 2) ** 2 + du(start) ** 2 + (d2u(start) + 4) ** 2
    return equation.square().mean() + beginning


def step():
    """A loss with its gradients, as the optimizer asks for it."""
    optimizer.zero_grad()
    value = loss()
    value.backward()
    return value


optimizer = torch.optim.LBFGS(
    net.parameters(), max_iter=400, history_size=50, line_search_fn="strong_wolfe"
)
with torch.no_grad():
    print(f"loss at first: {loss():.2e}")
optimizer.step(step)
error = (vmap(u)(x) - 2 / torch.cosh(x) ** 2).abs().max()
print(f"loss:          {loss():.2e}")
print(f"largest error: {error:.1e}, of a wave that is 2 high")
