from django_unicorn.components import UnicornView


class BasketView(UnicornView):
    items = 0
