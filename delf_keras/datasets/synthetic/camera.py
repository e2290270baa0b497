"""Where a photograph is taken from.

The world is measured in pixels of the facade: x to the right, y down, z away
from the viewer. The facade lies in z = 0 and the ground is the plane y =
`GROUND`.
"""

from dataclasses import dataclass

import numpy as np

from delf_keras.datasets.synthetic.shapes import Box

FACADE_SIZE = (768, 768)
GROUND = 768.0


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        position: float64 [3], in the world.
        matrix: float64 [3, 3], turns a direction in the world into homogeneous
            (x, y, 1) pixels of the view.
    """

    position: np.ndarray
    matrix: np.ndarray

    def project(self, points):
        """Pixels (x, y) [N, 2] and depths [N] of points (x, y, z) [N, 3]."""
        image = (np.asarray(points, float) - self.position) @ self.matrix.T
        return image[:, :2] / image[:, 2:], image[:, 2]

    def plane(self, origin, across, down):
        """The homography of a plane in the world.

        Args:
            origin: (x, y, z) of the plane's point (0, 0).
            across: the world vector of one step along its first coordinate.
            down: the same of its second coordinate.

        Returns:
            float64 [3, 3], from (across, down, 1) to view pixels (x, y, 1).
        """
        origin = np.asarray(origin, float) - self.position
        return self.matrix @ np.stack([across, down, origin], -1)

    def span(self, away, size):
        """The least and greatest x at z = `away` in a view of `size`."""
        height, width = size
        edges = [(-0.5, height / 2, 1), (width, height / 2, 1)]
        rays = np.linalg.solve(self.matrix, np.transpose(edges))
        # A little more than straight ahead; never what is behind the camera.
        angle = np.arctan2(rays[0], rays[2]) + (-0.08, 0.08)
        reach = np.tan(np.clip(angle, -1.35, 1.35))
        return self.position[0] + (away - self.position[2]) * reach


def random_camera(rng, size):
    """A camera in front of the facade, at about the height of an eye.

    Args:
        rng: `np.random.Generator`.
        size: (height, width) of the view, pixels.

    Returns:
        A `Camera`.
    """
    distance = rng.uniform(900, 1700)
    angle = np.deg2rad(rng.uniform(-33, 33))
    middle = FACADE_SIZE[1] / 2
    position = np.array(
        [
            middle + distance * np.tan(angle),
            GROUND - rng.uniform(45, 190),
            -distance,
        ]
    )
    zoom = rng.uniform(0.74, 1.08) if rng.random() < 0.8 else 1.4
    reach = 40 if zoom < 1.2 else 130
    target = np.array(
        [
            middle + rng.uniform(-reach, reach),
            GROUND - rng.uniform(0.40, 0.54) * FACADE_SIZE[0],
            0.0,
        ]
    )
    focal = zoom * min(np.divide(size, FACADE_SIZE))
    focal *= np.hypot(distance, position[0] - middle)
    roll = np.deg2rad(rng.normal(0, 2))
    return look_at(position, target, focal, roll, size)


def look_at(position, target, focal, roll, size):
    """A camera that sees a point in the middle of its view.

    Args:
        position: float64 [3], of the camera.
        target: float64 [3], the point.
        focal: float, the focal length in pixels.
        roll: float, radians by which the camera is turned.
        size: (height, width) of the view, pixels.

    Returns:
        A `Camera`.
    """
    forward = target - position
    forward = forward / np.linalg.norm(forward)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right = right / np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    rotation = [cos * right + sin * down, cos * down - sin * right, forward]
    height, width = size
    intrinsics = [
        [focal, 0, (width - 1) / 2],
        [0, focal, (height - 1) / 2],
        [0, 0, 1],
    ]
    return Camera(position, np.array(intrinsics) @ np.array(rotation))


def upright(camera, x, z, width, height):
    """The `Box` in the view of something that stands on the ground.

    Args:
        camera: a `Camera`.
        x, z: float, where its foot is in the world.
        width, height: float, its size in the world.

    Returns:
        A `Box`, pixels of the view, and the depth of the foot.
    """
    feet, depth = camera.project([(x, GROUND, z), (x, GROUND - height, z)])
    (middle, bottom), (_, top) = feet
    half = 0.5 * width / height * (bottom - top)
    return Box(middle - half, top, middle + half, bottom), depth[0]
