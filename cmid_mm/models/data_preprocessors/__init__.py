"""What happens to a batch on the device before the model sees it."""

from .photometric import PhotometricDataPreprocessor, apply_operations
from .views import ViewsDataPreprocessor

__all__ = ['PhotometricDataPreprocessor', 'ViewsDataPreprocessor', 'apply_operations']
