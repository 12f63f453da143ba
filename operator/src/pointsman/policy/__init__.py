"""What must hold for the objects of the fleet: packs of rules, exceptions, native policies and evidence."""
