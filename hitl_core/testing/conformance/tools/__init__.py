"""What standard tests are written with: claims, attempts, readings, deliveries."""
